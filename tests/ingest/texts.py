"""Short texts of social policy in the languages of many posts, written for these tests."""

ABROAD = {
    "en": (
        "The government published its white paper on pensions on Tuesday. It proposes to "
        "raise the state pension age to 68 from 2044 and to extend automatic enrolment to "
        "younger workers. Trade unions have criticised the plan, which they say will hit "
        "people in manual jobs, while employers have asked for more time to adapt. "
        "Parliament is expected to debate the bill before the summer recess."
    ),
    "de": (
        "Die Bundesregierung hat am Dienstag den Bericht der Rentenkommission "
        "vorgestellt. Er sieht vor, das Rentenalter bis 2044 schrittweise auf 68 Jahre "
        "anzuheben und die betriebliche Altersvorsorge auszubauen. Die Gewerkschaften "
        "kritisieren die Pläne, während die Arbeitgeber mehr Zeit für die Umstellung "
        "fordern. Der Bundestag wird den Gesetzentwurf vor der Sommerpause beraten."
    ),
    "es": (
        "El Gobierno presentó el martes el informe de la comisión sobre las pensiones. "
        "Propone elevar la edad de jubilación a los 68 años a partir de 2044 y extender "
        "los planes de empleo a los trabajadores más jóvenes. Los sindicatos han "
        "criticado la propuesta, mientras que la patronal pide más tiempo para adaptarse. "
        "El Congreso debatirá el proyecto de ley antes del verano."
    ),
    "it": (
        "Il governo ha presentato martedì la relazione della commissione sulle pensioni. "
        "Propone di innalzare l'età pensionabile a 68 anni a partire dal 2044 e di "
        "estendere la previdenza complementare ai lavoratori più giovani. I sindacati "
        "hanno criticato il piano, mentre le imprese chiedono più tempo per adeguarsi. Il "
        "Parlamento discuterà il disegno di legge prima dell'estate."
    ),
    "pt": (
        "O Governo apresentou na terça-feira o relatório da comissão sobre as pensões. "
        "Propõe aumentar a idade da reforma para os 68 anos a partir de 2044 e alargar os "
        "planos complementares aos trabalhadores mais jovens. Os sindicatos criticaram a "
        "proposta, enquanto as empresas pedem mais tempo para se adaptarem. O Parlamento "
        "debaterá a proposta de lei antes do verão."
    ),
    "nl": (
        "De regering heeft dinsdag het verslag van de pensioencommissie gepresenteerd. "
        "Zij stelt voor de pensioenleeftijd vanaf 2044 te verhogen naar 68 jaar en de "
        "aanvullende pensioenen uit te breiden naar jongere werknemers. De vakbonden "
        "hebben kritiek op het plan, terwijl de werkgevers meer tijd vragen. De Tweede "
        "Kamer behandelt het wetsvoorstel voor de zomer."
    ),
    "sv": (
        "Regeringen presenterade i tisdags pensionsutredningens betänkande. Utredningen "
        "föreslår att pensionsåldern höjs till 68 år från 2044 och att tjänstepensionen "
        "utvidgas till yngre arbetstagare. Fackförbunden har kritiserat förslaget, medan "
        "arbetsgivarna vill ha mer tid för omställningen. Riksdagen väntas behandla "
        "lagförslaget före sommaren."
    ),
    "da": (
        "Regeringen præsenterede tirsdag pensionskommissionens rapport. Den foreslår at "
        "hæve pensionsalderen til 68 år fra 2044 og at udvide arbejdsmarkedspensionen til "
        "yngre lønmodtagere. Fagforeningerne har kritiseret planen, mens arbejdsgiverne "
        "beder om mere tid til omstillingen. Folketinget ventes at behandle lovforslaget "
        "inden sommeren."
    ),
    "fi": (
        "Hallitus esitteli tiistaina eläkekomitean mietinnön. Siinä ehdotetaan eläkeiän "
        "nostamista 68 vuoteen vuodesta 2044 alkaen ja työeläkkeen laajentamista "
        "nuorempiin työntekijöihin. Ammattiliitot ovat arvostelleet suunnitelmaa, kun "
        "taas työnantajat pyytävät lisää aikaa sopeutumiseen. Eduskunnan odotetaan "
        "käsittelevän lakiesitystä ennen kesää."
    ),
    "no": (
        "Regjeringen la tirsdag fram pensjonsutvalgets innstilling. Utvalget foreslår å "
        "heve pensjonsalderen til 68 år fra 2044 og å utvide tjenestepensjonen til yngre "
        "arbeidstakere. Fagforeningene har kritisert planen, mens arbeidsgiverne ber om "
        "mer tid til omstillingen. Stortinget ventes å behandle lovforslaget før "
        "sommeren."
    ),
    "ru": (
        "Правительство представило во вторник доклад комиссии по пенсиям. Предлагается "
        "повысить пенсионный возраст до 68 лет с 2044 года и распространить "
        "дополнительное страхование на молодых работников. Профсоюзы раскритиковали план, "
        "а работодатели просят больше времени. Парламент рассмотрит законопроект до "
        "летних каникул."
    ),
    "zh": (
        "政府于星期二公布了养老金委员会的报告。报告建议从2044年起将退休年龄提高到68"
        "岁，并将补充养老保险扩大到年轻职工。工会批评了这一计划，而雇主要求更多的时间来适"
        "应。预计议会将在夏季之前审议该法案。"
    ),
    "ar": (
        "قدمت الحكومة يوم الثلاثاء تقرير لجنة التقاعد. ويقترح التقرير رفع سن التقاعد إلى "
        "68 سنة ابتداء من عام 2044 وتوسيع التأمين التكميلي ليشمل العمال الشباب. وانتقدت "
        "النقابات هذه الخطة بينما طلب أرباب العمل مزيدا من الوقت. ومن المتوقع أن يناقش "
        "البرلمان مشروع القانون قبل الصيف."
    ),
    "pl": (
        "Rząd przedstawił we wtorek raport komisji emerytalnej. Proponuje podniesienie "
        "wieku emerytalnego do 68 lat od 2044 roku oraz rozszerzenie programów "
        "pracowniczych na młodszych pracowników. Związki zawodowe skrytykowały plan, a "
        "pracodawcy proszą o więcej czasu. Sejm ma rozpatrzyć projekt ustawy przed latem."
    ),
    "ro": (
        "Guvernul a prezentat marți raportul comisiei privind pensiile. Acesta propune "
        "creșterea vârstei de pensionare la 68 de ani din 2044 și extinderea pensiilor "
        "ocupaționale la lucrătorii mai tineri. Sindicatele au criticat planul, iar "
        "angajatorii cer mai mult timp. Parlamentul va dezbate proiectul de lege înainte "
        "de vară."
    ),
    "ca": (
        "El Govern va presentar dimarts l'informe de la comissió sobre les pensions. "
        "Proposa apujar l'edat de jubilació fins als 68 anys a partir del 2044 i ampliar "
        "els plans d'ocupació als treballadors més joves. Els sindicats han criticat la "
        "proposta, mentre que la patronal demana més temps. El Parlament debatrà el "
        "projecte de llei abans de l'estiu."
    ),
    "hu": (
        "A kormány kedden ismertette a nyugdíjbizottság jelentését. A javaslat szerint "
        "2044-től 68 évre emelkedne a nyugdíjkorhatár, és kiterjesztenék a foglalkoztatói "
        "nyugdíjat a fiatalabb munkavállalókra. A szakszervezetek bírálták a tervet, a "
        "munkaadók pedig több időt kérnek."
    ),
}

SUBJECTS = [
    ("en", "Pension reform: the government publishes its white paper"),
    ("en", "Hospital waiting lists reach a record high"),
    ("en", "Minimum wage to rise in April"),
    ("en", "New strike law for public transport workers"),
    ("de", "Rentenreform: Bericht der Kommission veröffentlicht"),
    ("de", "Mindestlohn steigt zum Jahreswechsel"),
    ("de", "Krankenhausreform im Bundesrat"),
    ("de", "Fachkräftemangel in der Pflege"),
    ("es", "Reforma de las pensiones: acuerdo con los sindicatos"),
    ("es", "Sube el salario mínimo interprofesional"),
    ("es", "Nueva ley de vivienda y pobreza infantil"),
    ("es", "Listas de espera en la sanidad pública"),
    ("it", "Riforma delle pensioni: la relazione della commissione"),
    ("it", "Salario minimo: il governo frena"),
    ("it", "Liste d'attesa nella sanità pubblica"),
    ("it", "Sciopero generale dei trasporti"),
    ("pt", "Reforma das pensões: relatório da comissão"),
    ("pt", "Salário mínimo aumenta em janeiro"),
    ("pt", "Greve dos médicos no Serviço Nacional de Saúde"),
    ("pt", "Nova lei do trabalho em discussão"),
    ("nl", "Pensioenhervorming: het verslag van de commissie"),
    ("nl", "Minimumloon stijgt in juli"),
    ("nl", "Wachtlijsten in de geestelijke gezondheidszorg"),
    ("nl", "Nieuwe wet op de arbeidsovereenkomst"),
    ("sv", "Pensionsreform: kommissionens betänkande"),
    ("sv", "Regeringen föreslår höjd a-kassa"),
    ("sv", "Vårdköerna växer i regionerna"),
    ("sv", "Ny lag om anställningsskydd"),
    ("da", "Regeringen vil forhøje mindstelønnen"),
    ("da", "Ny aftale om dagpenge"),
    ("da", "Mangel på sygeplejersker"),
    ("da", "Barselsorlov og ligestilling"),
    ("fi", "Eläkeuudistus: komitean mietintö"),
    ("fi", "Hallitus leikkaa työttömyysturvaa"),
    ("fi", "Hoitojonot kasvavat hyvinvointialueilla"),
    ("fi", "Uusi työsopimuslaki"),
    ("no", "Pensjonsreform: utvalgets innstilling"),
    ("no", "Regjeringen vil øke minstepensjonen"),
    ("no", "Ventelister på sykehusene"),
    ("no", "Ny lov om arbeidsmiljø"),
    ("ru", "Пенсионная реформа: доклад комиссии"),
    ("ru", "Минимальный размер оплаты труда вырастет"),
    ("zh", "养老金改革：委员会报告"),
    ("zh", "最低工资标准上调"),
    ("ar", "إصلاح أنظمة التقاعد: تقرير اللجنة"),
    ("ar", "رفع الحد الأدنى للأجور"),
    ("pl", "Reforma emerytalna: raport komisji"),
    ("pl", "Płaca minimalna wzrośnie w styczniu"),
    ("ro", "Reforma pensiilor: raportul comisiei"),
    ("ro", "Salariul minim crește în ianuarie"),
    ("ja", "年金改革：委員会の報告書"),
    ("ja", "最低賃金の引き上げ"),
    ("el", "Μεταρρύθμιση των συντάξεων: έκθεση της επιτροπής"),
    ("el", "Αύξηση του κατώτατου μισθού"),
    ("uk", "Пенсійна реформа: доповідь комісії"),
    ("uk", "Мінімальна заробітна плата зросте"),
]

FRENCH = [
    "Réforme des retraites : le rapport de la commission",
    "Grève",
    "Kurzarbeit en Allemagne",
    "Le NHS et les listes d'attente",
    "Royaume-Uni : Mental Health Bill",
    "Brexit et sécurité sociale",
    "Espagne : ingreso mínimo vital",
    "OMS Genève : 78e AMS",
    "G20 emploi",
    "Flash Berlin",
    "Visite ministérielle à Rome",
    "Suède : chômage",
    "Plan national santé",
    "Note",
    "Point de situation covid",
    "UE : directive plateformes",
    "Télétravail",
    "Pologne",
    "Canada Québec : RAMQ",
    "ALERTE grippe aviaire H5N1",
    "Medicaid, Medicare : état des lieux",
    "Bulletin social n° 12",
    "TR : entretien M. Heil",
    "Protection sociale en Italie",
    "L'Allemagne et le Kurzarbeit : le Bundestag vote la Pflegeversicherung",
]
